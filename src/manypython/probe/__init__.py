"""Programs that run inside the product, never in this tool: standard library only, 3.11 to 3.15."""
