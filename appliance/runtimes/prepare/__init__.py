"""Prepares a version for this box, in processes of their own and at the lowest priority.

    python -m appliance.runtimes.prepare FOLDER CACHE --options JSON

    convert (imports tensorflow): freezes variables, optimises the graph, converts to LiteRT
    trial   (does not): loads one engine just as the line will, answers the samples, takes the time
    prepare: starts these one after another, compares the answers, chooses, and places the result in the cache

Whatever a converter or an engine does to its process (some abort), the line has the SavedModel left, and a sentence.
"""
