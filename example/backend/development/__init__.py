"""For whoever works on the application: settings, seed data, restarts. No image contains it."""
