"""Pure builders and parsers: wishes and facts in, argument lists, files and plans out. Nothing here has an effect."""
