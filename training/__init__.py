"""How the small checkpoint that ships with omnirt was made; the runtime never imports this."""
