"""Greenroom: staging environments that provision, prove and heal themselves."""
