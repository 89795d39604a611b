"""What `fuzz.py` consists of: mutations of mail and archives, kills, and the limits under which each is tried."""
