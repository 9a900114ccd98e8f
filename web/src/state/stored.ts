// One table in the browser's own store (IndexedDB): it survives a reload. It must never know what is kept in it.

export interface Stored<T> {
  all: () => Promise<T[]>
  put: (row: T) => Promise<unknown>
  drop: (id: IDBValidKey) => Promise<unknown>
}

export function store<T>(base: string, table: string, made: IDBObjectStoreParameters): Stored<T> {
  function open(): Promise<IDBDatabase> {
    return new Promise((resolve, reject) => {
      const asked = indexedDB.open(base, 1)
      asked.onupgradeneeded = () => asked.result.createObjectStore(table, made)
      asked.onsuccess = () => resolve(asked.result)
      asked.onerror = () => reject(asked.error)
    })
  }

  /** What is written is on the phone when this returns: the transaction has ended, not only the request. */
  async function run<R>(mode: IDBTransactionMode, deed: (rows: IDBObjectStore) => IDBRequest<R>): Promise<R> {
    const held = await open()
    try {
      return await new Promise<R>((resolve, reject) => {
        const transaction = held.transaction(table, mode)
        const asked = deed(transaction.objectStore(table))
        transaction.oncomplete = () => resolve(asked.result)
        transaction.onabort = () => reject(transaction.error)
      })
    } finally {
      held.close()
    }
  }

  return {
    all: () => run('readonly', (rows) => rows.getAll() as IDBRequest<T[]>),
    put: (row) => run('readwrite', (rows) => rows.put(row)),
    drop: (id) => run('readwrite', (rows) => rows.delete(id)),
  }
}
