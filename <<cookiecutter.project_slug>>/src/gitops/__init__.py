# machinery: the same in every repository; your changes here are lost with the next update of the template.
"""From data to a promoted model, as Git sees it: validate, train, register, compare, promote, reconcile."""

__version__ = "0.1.0"
