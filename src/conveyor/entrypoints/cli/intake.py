import click
@click.command('intake')
def intake(): pass
place=orders=intake
