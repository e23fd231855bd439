"""What there is to find out about a challenger: a module for each question, answered once, as figures for the gates."""
