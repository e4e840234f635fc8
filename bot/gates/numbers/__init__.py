"""What two pools did over the same minutes, from the metrics of their model servers and endpoint pickers."""
