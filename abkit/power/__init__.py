"""How many units, how large an effect, how much power: any two give the third."""
