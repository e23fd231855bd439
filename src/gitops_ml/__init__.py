"""From data to a promoted model, as Git sees it: validate, train, register, compare, promote, deploy, monitor."""
