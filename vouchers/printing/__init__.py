"""What is printed of vouchers and for sites: cards on sheets, tent cards, signs, slips. Texts come in translated."""
