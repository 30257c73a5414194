"""What a person sees: widgets and layout; every number comes from core."""
