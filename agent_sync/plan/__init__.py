"""What should be done: a lock (and a configuration) in, one tree of outputs, its drift and a plan of actions out.

`deriving` says what the outputs are, `observing` what lies on the disk, `building` what separates the two, `preview`
shows it.
"""
