"""How good a machine is: figures, reports, tests of the papers, the ledger of results."""
