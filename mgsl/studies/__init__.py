"""What annotations tell without a video: studies whose results are kept in reports/studies."""
