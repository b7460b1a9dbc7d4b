"""How people and programs reach the forms: in the room, on a public page, through the open API, at the desk."""
