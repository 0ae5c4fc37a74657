"""What Gunicorn serves has the load tests' settings; commands keep the sample's own."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.loadtest.settings")
