"""What a person watches: lists of symbols."""
