"""The screens: sign-in, trading, and the dialogs over it."""
