import click
@click.command('orders')
def orders(): pass
place=orders=orders
