import click
@click.command('dead_letters')
def dead_letters(): pass
place=orders=dead_letters
