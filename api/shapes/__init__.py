"""The shapes of answers, as the OpenAPI document states them. A test holds every answer of the service against them."""
