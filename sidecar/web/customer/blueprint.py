from flask import Blueprint

customer = Blueprint("customer", __name__)
