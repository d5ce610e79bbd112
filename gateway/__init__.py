"""The one door of the studio: Envoy, configured from one template."""
