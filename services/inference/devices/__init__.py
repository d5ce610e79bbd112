"""The devices of this machine, and the one that neural engines are to use."""
