from __future__ import annotations

import sys
from pathlib import Path

# pytest's importlib mode does not put a test's folder on the path; the samples live here.
sys.path.insert(0, str(Path(__file__).parent))
