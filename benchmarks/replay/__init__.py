"""Real leads at their own instants, through the services and the API, with every promise checked afterwards.

    python -m benchmarks.replay [olist|x_education|bank|bpi2012|all] [--leads N] [--http N]

datasets.py reads the files into arrivals and a configuration, simulation.py lives through them, over_http.py sends some
through a real server, checks.py judges what the rows say by rules written anew, report.py prints.
"""
