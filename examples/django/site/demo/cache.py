"""Sessions in Redis that a program in another language can read."""

import json


class JSONSerializer:
    def dumps(self, value):
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data):
        return json.loads(data)
