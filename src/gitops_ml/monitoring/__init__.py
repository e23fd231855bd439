"""What production sees, judged against what the version was trained on."""
