"""Healing: evidence, diagnosis, playbook, healer and incident report.

A failure is a value (`model.Failure`), so is everything that can be known about it (`model.Situation`). `diagnosis`
names causes from it and never acts; the playbook answers a cause with acts out of a closed set (`model.Verb`), and
`hands` is the one place that performs them. What nothing in the playbook may mend is escalated with its evidence.
"""
