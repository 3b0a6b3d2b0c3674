"""The rules of the business, as functions of their arguments: no database, no clock, no web."""
