"""A load tester for SFUs: many publishers and subscribers that measure what viewers would feel."""
