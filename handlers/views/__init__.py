"""Forms, dialogs and the home tab: one file each, and what opens them and takes in what was filled in."""
