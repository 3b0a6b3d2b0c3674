"""What the ERP and NeuroLink have in common: tokens, logs, and how a service says whether it is ready."""
