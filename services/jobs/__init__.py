"""Jobs: accepts long work, keeps it through any crash, and tells how it goes."""
