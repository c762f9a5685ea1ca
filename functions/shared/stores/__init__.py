"""One adapter per store. Driver errors end here: they leave as the errors of `domain.errors`."""
