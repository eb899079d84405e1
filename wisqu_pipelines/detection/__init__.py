"""Which records exist only because someone tested the software: patterns, context, marks, and reasons."""
