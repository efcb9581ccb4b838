"""Automata: hard machines with stacks, read off as tables of rules, and held against them."""
