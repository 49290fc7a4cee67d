"""The target `torch`: one readable module that needs torch alone.

functions     how each function of the language is spelled
identifiers   Python names for the names of equations
printer       checked expressions → Python expressions
spelling      how each name is spelled outside the time loop and inside it
lines         statements → lines of at most 120 characters
sequence      the body of the loop over a sequence, statement by statement
construct     the constructors: arguments, sizes and their checks, parameters
initial       how parameters and states start
module        all that the templates (`*.jinja`) lay out
"""
