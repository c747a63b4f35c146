"""What is done about a stick in trouble: health, ladder, climber, rescue, endings."""
