"""How fast the bot is, as ratios against floors that the same run measures in turns with the bot."""
