"""How fast the bot is, as ratios: each against a floor that is measured in the same run, in turns with it."""
