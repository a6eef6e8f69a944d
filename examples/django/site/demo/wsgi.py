import os
import pathlib
import sys

from django.core.wsgi import get_wsgi_application

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[2]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo.settings")
application = get_wsgi_application()
