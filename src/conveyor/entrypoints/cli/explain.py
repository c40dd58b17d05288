import click
@click.command('explain')
def explain(): pass
place=orders=explain
