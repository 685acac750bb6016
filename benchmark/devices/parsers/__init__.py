"""What devices print about themselves, one file for each source.

Nothing here raises, whatever the text: what is not there, or not understood, is None or left out.
"""
