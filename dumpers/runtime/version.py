"""The one version of controller, dumpers, chart and images."""

VERSION = "0.7.0"
