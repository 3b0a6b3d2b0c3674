"""Droplets that boot: system containers, their images, network and volumes on the local Docker engine."""
