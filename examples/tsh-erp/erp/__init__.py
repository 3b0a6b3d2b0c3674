"""The ERP: accounts, customers, and the field-sales API (GPS, money transfers, commissions) of TSH's salespeople."""

__version__ = "1.0.0"
