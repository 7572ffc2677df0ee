"""How tables and figures are drawn, whatever they show."""
