import click
@click.command('stock')
def stock(): pass
place=orders=stock
