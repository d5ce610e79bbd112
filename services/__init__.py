"""The studio's services. None imports another; they talk through protos/ only."""
