"""The verification service: a thin HTTP layer over `registry`. It holds no key and no rule of the domain."""
